// Nobody will be this writer again: no journal has this incarnation.
MATCH (w:Writer {memory: $memory, id: $writer})
SET w.incarnation = 0
