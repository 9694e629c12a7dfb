//! Files as people have them: what they become, golden, and that our own reader takes it.
