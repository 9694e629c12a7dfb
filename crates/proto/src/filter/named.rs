//! Operands of `dev`, `fwmark`, `cgroup`.

use alloc::sync::Arc;

use super::error::Problem;
use super::expression::Condition;
use super::lexer::Word;
use super::number::{scan_int, scan_unsigned, whole_unsigned};
use super::operand::Operands;
use super::warning::Surprise;

impl Operands<'_> {
    /// The operand of `dev`: a name, else `ifNUMBER`, else a number. Index 0 is "not bound".
    pub(super) fn device(&mut self, word: &Word) -> Result<Condition, Problem> {
        let name = word.text.as_str();
        let index = self
            .context
            .names
            .device(name)
            .or_else(|| name.strip_prefix("if").and_then(scan_unsigned))
            .filter(|index| *index != 0)
            .or_else(|| whole_unsigned(name))
            .ok_or_else(|| Problem::UnknownDevice { word: name.into() })?;
        self.warn(word, |word| Surprise::BoundToDevice { word });
        Ok(Condition::Device { index, name: Arc::from(name) })
    }

    /// The operand of `fwmark`: `VALUE` or `VALUE/MASK`; without a mask, junk behind is ignored.
    pub(super) fn mark(&mut self, word: &Word) -> Result<Condition, Problem> {
        let text = word.text.as_str();
        let bad = || Problem::BadMark { word: text.into() };
        let (value, behind) = scan_int(text).ok_or_else(bad)?;
        let mask = if text.contains('/') {
            let mask = behind.strip_prefix('/').ok_or_else(bad)?;
            let (mask, behind) = scan_int(mask).ok_or_else(bad)?;
            if !behind.is_empty() {
                self.warn(word, |word| Surprise::Ignored { word });
            }
            mask
        } else {
            if !behind.is_empty() {
                self.warn(word, |word| Surprise::Ignored { word });
            }
            u32::MAX
        };
        self.warn_octal(word, text.split('/').next().unwrap_or_default());
        if value & !mask != 0 {
            self.warn(word, |word| Surprise::MarkOutsideMask { word });
        }
        self.warn(word, |word| Surprise::NeedsPrivilege { word });
        Ok(Condition::Mark { value, mask })
    }

    /// The operand of `cgroup`: a path that the caller's [`Names`](super::Names) finds.
    pub(super) fn cgroup(&mut self, word: &Word) -> Result<Condition, Problem> {
        match self.context.names.cgroup(&word.text) {
            Ok(id) => Ok(Condition::Cgroup { id, path: Arc::from(word.text.as_str()) }),
            Err(reason) => Err(Problem::UnknownCgroup { word: word.text.clone(), reason }),
        }
    }
}
