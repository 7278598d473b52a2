"""Steps of the map without their term, and terms that are those of another step."""
