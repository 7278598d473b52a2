"""Why a layer's ldj is wrong: by its operations, and by its sublayers."""
