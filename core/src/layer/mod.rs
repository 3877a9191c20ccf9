//! Wrappers around any provider: `guard → trace → timeout → connector`, built in one place.
