// Concepts whose name or text contains a text, whatever the case.
MATCH (c:Concept)
WHERE c.memory = $memory AND c.id >= 0
  AND (toLower(c.name) CONTAINS toLower($text) OR toLower(c.text) CONTAINS toLower($text))
RETURN c.id ORDER BY c.memory, c.id LIMIT $limit
