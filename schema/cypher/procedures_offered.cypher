// What the plugin offers here.
SHOW PROCEDURES YIELD name WHERE name STARTS WITH 'aesg.'
RETURN name ORDER BY name
