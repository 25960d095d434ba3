-- Another metatable for texts.
-- run: dirty table expected
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  setmetatable('', {})
end

return stage
