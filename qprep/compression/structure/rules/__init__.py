"""Rules by which operations carry labels: one file for each value of the catalogue's `channels`."""
