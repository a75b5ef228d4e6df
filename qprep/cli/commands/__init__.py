"""The commands of `qprep`, one file each, named as they are typed."""
