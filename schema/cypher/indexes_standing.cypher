// Every index on nodes of one label; that of a constraint is owned by it.
SHOW INDEXES YIELD name, type, entityType, labelsOrTypes, properties, owningConstraint, state
WHERE entityType = 'NODE' AND size(labelsOrTypes) = 1
RETURN name, type, labelsOrTypes[0], properties, owningConstraint IS NOT NULL, state
