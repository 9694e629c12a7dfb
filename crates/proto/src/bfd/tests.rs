//! Tests of BFD.
