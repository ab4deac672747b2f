"""An answer as one HTML file: what it rests on as plain JSON, and the JavaScript of `web/` that works it out anew."""
