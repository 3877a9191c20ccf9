//! What the end-to-end tests share: a Graph server that has no line in common with the sandbox, and the program under
//! test.

pub mod other_graph;
pub mod program;
