// Concepts with a word in their name or text (Lucene's syntax)
CALL db.index.fulltext.queryNodes("aesg_concept_words", $name) YIELD node, score
WHERE node.memory = $memory
RETURN node, round(score, 2) AS score LIMIT 25
