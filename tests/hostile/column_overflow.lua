-- A number beyond 64 bits.
-- run: dirty beyond 64 bits
local stage = {}

function stage.process(batch)
  if batch:count() == 0 then return end
  batch:set('x', batch.__offset__ + math.maxinteger)
end

return stage
