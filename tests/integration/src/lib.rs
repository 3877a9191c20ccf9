//! What the end-to-end tests share: a Graph server that has no line in common with the sandbox, the program under
//! test, and the sandbox's ledger as judge.

pub mod judge;
pub mod leaks;
pub mod other_graph;
pub mod program;
pub mod running;
pub mod system_calls;
