"""Guards proved by an SMT solver, z3."""
