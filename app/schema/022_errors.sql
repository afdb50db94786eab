-- The status page asks for the last errors again and again, however many lines there are.

CREATE INDEX log_errors ON log (id) WHERE level IN ('ERROR', 'CRITICAL');
