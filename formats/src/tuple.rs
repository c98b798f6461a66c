//! Columnar tables.
