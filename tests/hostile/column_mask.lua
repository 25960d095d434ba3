-- A mask that is none.
-- run: dirty a mask is a boolean column
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:keep(batch.__offset__)
end

return stage
