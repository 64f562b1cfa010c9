"""Made pictures: shapes of a colour, texture and size on grass, snow or sky; rules about them; what to beat."""
