"""Number formats: grids, affine and fixed-point arithmetic, stored integers."""
