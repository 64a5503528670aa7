//! Tests that need to reach behind the interface.
