-- All of a table on the stack.
-- run: dirty too many results to unpack|stack overflow|out of its memory limit of 8 MiB
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return table.unpack({}, 1, 1e7)
end

return stage
