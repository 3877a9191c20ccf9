//! rescind-azure-graph
