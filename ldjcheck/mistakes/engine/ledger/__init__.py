"""Steps of the map against terms of the ldj: by line, by call, by sublayer."""
