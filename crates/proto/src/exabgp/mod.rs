//! The ExaBGP API: commands, answers, and the session that keeps both in step.
