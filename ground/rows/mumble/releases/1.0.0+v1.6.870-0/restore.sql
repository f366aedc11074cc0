-- The channels of a community that has used its server for years: fifty rooms below Root, twenty below each of them.
-- murmurd reads every one of them at its start, after it has bound its port and before it answers anybody.
WITH RECURSIVE room(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM room WHERE id < 3500)
INSERT OR IGNORE INTO channels (server_id, channel_id, parent_id, name, inheritacl)
SELECT 1, id, CASE WHEN id <= 50 THEN 0 ELSE (id - 51) / 20 + 1 END, 'Room ' || id, 1 FROM room;
