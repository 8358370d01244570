"""What users write: one module per kind, as frozen structs under the API's own names."""
