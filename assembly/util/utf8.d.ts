/** Address of a static, NUL-terminated run of the literal's UTF-8 bytes (scripts/transform.mjs). */
declare function utf8(literal: string): usize;
