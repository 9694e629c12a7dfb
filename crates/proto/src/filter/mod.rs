//! The `ss` filter language: lexer, parser, bytecode, evaluator.
