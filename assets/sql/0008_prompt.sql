-- What is known of a prompt since its line was read, so that nobody has to read the body again: bytes
-- that the model reads, those of them that are tools and system messages at the beginning, and the hash
-- of these (model::Prompt). `request.prefix` only numbers the beginnings within a job.
ALTER TABLE body ADD COLUMN prompt INTEGER;
ALTER TABLE body ADD COLUMN lead INTEGER;
ALTER TABLE body ADD COLUMN prefix INTEGER;
