"""What Tonewall keeps about persons: found, exported and erased by telephone number."""
