-- The least a database can do for one hot item: every thread updates the same row and commits.
function thread_init()
  connection = sysbench.sql.driver():connect()
end

function event()
  connection:query("UPDATE counter SET reserved = reserved + 1 WHERE id = 1")
end

function thread_done()
  connection:disconnect()
end
