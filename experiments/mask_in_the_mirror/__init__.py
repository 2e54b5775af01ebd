"""The figures of Jacobs and Burkholz, "Mask in the Mirror" (the preprint), one a module."""
