"""The tests: a package, lest the `tests` that some library installs be found in its place."""
