// Enter a new writer.
CREATE (:Writer {memory: $memory, id: $writer, incarnation: 1, sequence: 0, content: 0, forgotten: 0,
                 concepts: 0, edges: 0, tombstones: 0})
