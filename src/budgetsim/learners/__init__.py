"""Students and teachers: how they are trained, what they answer."""
