"""From measurements to scores nobody measured: curves, surfaces, and the joint draws of a task."""
