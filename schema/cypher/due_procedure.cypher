// What may be pruned within so many epochs from now if it is not used, by the plugin.
CALL aesg.due($memory, $epochs, $limit) YIELD id, name, expires_epoch, in_epochs, relevance
RETURN id, name, expires_epoch, in_epochs, relevance
