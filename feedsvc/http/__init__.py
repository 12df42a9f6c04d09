"""HTTP mechanics that the API and the public views share."""
