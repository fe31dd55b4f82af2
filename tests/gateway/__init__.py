"""Tests of the API over real HTTP. A package, so that what they share ends with the last of them."""
