//! Observers: tasks that watch this host and send `Observation`s. They never decide.
