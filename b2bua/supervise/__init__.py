"""`tonewall run`: starts all processes, and starts again those that end."""
