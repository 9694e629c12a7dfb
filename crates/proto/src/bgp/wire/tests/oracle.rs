//! Our encoder against codecs that nobody of this project wrote.
