"""How operations carry labels: one file for each way of the catalogue's `channels`."""
