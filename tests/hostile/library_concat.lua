-- table.concat of a table that answers with nothing, by a function in C, for ever.
-- run: dirty more than 1000000 instructions for one batch
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  return table.concat(setmetatable({}, {__index = table.concat}), '', 1, 1 << 60)
end

return stage
