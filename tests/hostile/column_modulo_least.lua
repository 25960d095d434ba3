-- The one remainder that overflows elsewhere.
-- run: fine
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x', (batch.__offset__ * 0 + math.mininteger) % -1)
end

return stage
