//! From input to an accepted order.
