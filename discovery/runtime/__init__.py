"""What every long-running program needs, knowing nothing of the mesh: supervision, clock, logs. A leaf package."""
