"""Abstract values, their lattice, access paths and allocation sites."""
